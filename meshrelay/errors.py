"""Everything that can go wrong, on one page.

The branch you catch tells you what to do; the first line of each docstring is
what the operator reads.

    MeshRelayError
    |-- ConfigError           the operator can mend it: print, exit 2
    |-- LocalProtocolError    our own code broke the protocol: a bug, crash
    |-- RemoteProtocolError   a peer broke it: close that link, keep the node
    |   |-- FrameError          bytes that do not decode or pass a limit
    |   |-- SignatureError      does not verify
    |   |-- CredentialError     verifies, but may not say this
    |   `-- ForkError           two entries for one seq
    |-- RefusedError          full, expired, revoked: tell the person why
    |-- BearerError           the path failed: back off, try again
    |-- DamagedError          a stored row changed: keep it aside, fetch it again
    `-- StoreError            the disk failed: stop accepting, exit, restart
        `-- UnreadableError     a page of log.db is damaged: the next start salvages the rest
"""

from __future__ import annotations


class MeshRelayError(Exception):
    """Something went wrong in meshrelay."""

    @classmethod
    def sentence(cls) -> str:
        """The first docstring line: what the operator reads."""
        return (cls.__doc__ or "").strip().splitlines()[0]


class ConfigError(MeshRelayError):
    """The configuration cannot be used; nothing was started.

    The message names the file, the key and what was expected.
    """


class LocalProtocolError(MeshRelayError):
    """This node's own code broke the protocol; please report it."""


class RemoteProtocolError(MeshRelayError):
    """A peer broke the protocol; its link was closed.

    `reason` is the short name under which the refusal is counted.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class FrameError(RemoteProtocolError):
    """A peer sent bytes that do not decode or that pass a limit."""


class SignatureError(RemoteProtocolError):
    """A peer sent something whose signature does not verify."""


class CredentialError(RemoteProtocolError):
    """A peer sent something that it is not entitled to say."""


class ForkError(RemoteProtocolError):
    """Two different entries exist for one place in one log."""


class RefusedError(MeshRelayError):
    """The request was refused; nothing was stored and nothing was lost.

    `code` is stable and for machines; `ja` and `en` are one sentence each for the
    person, `next_ja` and `next_en` what to do now; `status` the HTTP status that
    fits (RFC 9457 problem documents are made from these).
    """

    def __init__(
        self, code: str, ja: str, en: str, next_ja: str, next_en: str, status: int = 400
    ) -> None:
        super().__init__(f"{ja} / {en}")
        self.code = code
        self.ja = ja
        self.en = en
        self.next_ja = next_ja
        self.next_en = next_en
        self.status = status


class BearerError(MeshRelayError):
    """A path to other nodes failed; it will be tried again."""


class DamagedError(MeshRelayError):
    """A stored row is not what was written; it is kept aside and fetched again.

    `log` (a LogId) and `seq` say near which row the chain breaks.
    """

    def __init__(self, log: object, seq: int) -> None:
        super().__init__(f"seq {seq}")
        self.log = log
        self.seq = seq


class StoreError(MeshRelayError):
    """The disk failed; the node stops so that nothing unsaved is acknowledged."""


class UnreadableError(StoreError):
    """A page of the message store is damaged; the next start takes over what can still be read."""
