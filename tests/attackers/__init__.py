"""The attacker table, tried: one file for each attacker, one test or more for each cell.

A test bears the words of its cell, so that the table (README, security page) can be held
beside `pytest tests/attackers --collect-only -q`. What an attacker *can* do is tried as
honestly as what they cannot: a cell that says "can" fails here when it is not true any more.
Each attacker has what the table says and no more: `Tap` is somebody on the cable, `Rogue`
has one node's directory and the log-ins that were open on it, `DishonestBroker` is the broker.

Cells and halves of cells that have no test, because what they speak of is not built:

    stolen Pi: class 1, class 2     there is only class 0
"""
