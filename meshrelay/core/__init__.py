"""What decides: entries, records, receipts and the sync machine. No I/O of any kind.

Bytes and states are specified in PROTOCOL.md beside this file.
"""
