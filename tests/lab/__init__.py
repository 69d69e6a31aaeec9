"""Real hosts and real brokers: network namespaces, impaired cables, `meshrelay node run`.

`python -m tests.lab --help` lists the runs. Needs root and Debian's iproute2, nftables, faketime
and mosquitto; nothing leaves the machine, and nothing is left on it.
"""
