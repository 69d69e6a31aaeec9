"""A city in one terminal: five processes, seven cables that can be cut, a story and a replay."""
