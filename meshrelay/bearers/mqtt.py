"""Links through a broker: MQTT 5, falling back to 3.1.1, over mutual TLS 1.3.

What a link is on a broker is decided in mqtt_links.py; here are the connection and its
traps (stack.md): aiomqtt acknowledges before we have stored, hides the reason in a PUBACK
and does not reconnect; a frozen broker answers nothing at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import socket
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiomqtt
import msgspec
import paho.mqtt.client as paho
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from meshrelay.bearers.backoff import Backoff
from meshrelay.bearers.base import (
    FRAME_BYTES_MAX,
    UNKNOWN_KEY,
    BarredError,
    Clone,
    Doorman,
    LinkEvents,
    Sealer,
)
from meshrelay.bearers.clones import Clones
from meshrelay.bearers.dial import HURRY_PAUSE_S, HURRY_SECONDS, connect
from meshrelay.bearers.mqtt_links import FRAME, NONCE_BYTES, Contacts, State
from meshrelay.bearers.mqtt_queue import OutQueue
from meshrelay.errors import BearerError, FrameError, RemoteProtocolError

log = logging.getLogger(__name__)
# paho logs every lost socket as an error; what matters is raised, counted and logged here.
PAHO_LOG = logging.Logger("paho", logging.CRITICAL)

TOPIC_ROOT = "meshrelay/1"
EVERYBODY, STATE = "all", "state"
KEEPALIVE_S = 10
CONNECT_SECONDS_MAX = 5.0
RECONNECT_BASE_S = 0.25
RECONNECT_CAP_S = 10.0
# One full frame at 4 KiB/s, and the keepalive that notices a frozen broker first.
PUBLISH_SECONDS_BASE = 15.0
PUBLISH_BYTES_PER_SECOND_MIN = 4096
# Published and not yet acknowledged; more would stand in front of the next urgent frame.
IN_FLIGHT_MAX = 4
# Delivered to us and not yet stored: the broker waits (MQTT 5 Receive Maximum).
RECEIVE_MAX = 64
TICK_S = 0.5
# A broker that throws us out sooner is not asked again at once.
STEADY_S = 10.0
# A broker that refused a topic will refuse it again.
PARKED_S = 60.0
STATE_EVERY_S = 1.0
GOODBYE_SECONDS_MAX = 1.0

KEY_POLL_S = 1.0
OTHERS_MAX = 64
NO_KEY = (
    "refused: 転送鍵がありません。回答ファイルを発行者から受け取り、登録し直してください / "
    "no transit key: ask the issuer for a new answer file, then run `meshrelay node enrol` again"
)

NOT_AUTHORISED = 135
UNSUPPORTED_PROTOCOL = (132, 1)  # MQTT 5 and 3.1.1


class PublishRefusedError(BearerError):
    """The broker refused to pass a message on; see its ACL."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{text} ({code})")
        self.code = code


class NoAnswerError(aiomqtt.MqttError):
    """The broker took the connection, but did not answer our CONNECT."""


class AckingClient(aiomqtt.Client):
    """aiomqtt that acknowledges when told, says why a publish failed, and lets go.

    One instance serves one connection. `messages` yields as usual; QoS 1 messages stay
    unacknowledged, and the broker stops after RECEIVE_MAX of them, until `acknowledge`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._client.manual_ack_set(True)
        self._client.connect_timeout = CONNECT_SECONDS_MAX
        self._acks: dict[int, asyncio.Future[None]] = {}
        self._ended = False

    @property
    def address(self) -> str:
        """From which IP address we reach the broker; empty without a connection."""
        raw = self._client.socket()
        return str(raw.getsockname()[0]) if isinstance(raw, socket.socket) else ""

    def acknowledge(self, message: aiomqtt.Message) -> None:
        """Send PUBACK; nothing after the connection ended (the id means nothing then)."""
        if message.qos and not self._ended:
            self._client.ack(message.mid, message.qos)

    async def publish_acked(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish with QoS 1 and wait for the PUBACK.

        Raises:
            PublishRefusedError: a reason code of 128 or above (MQTT 5 only).
            aiomqtt.MqttError: the connection ended, or no answer in time.
        """
        info = self._client.publish(topic, payload, 1, retain)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise aiomqtt.MqttError(paho.error_string(info.rc))
        ack = self._acks[info.mid] = self._loop.create_future()
        seconds = PUBLISH_SECONDS_BASE + len(payload) / PUBLISH_BYTES_PER_SECOND_MIN
        try:
            async with asyncio.timeout(seconds):
                await asyncio.wait((ack, self._disconnected), return_when="FIRST_COMPLETED")
        except TimeoutError:
            raise aiomqtt.MqttError("the broker does not answer") from None
        finally:
            self._acks.pop(info.mid, None)
        if not ack.done():
            raise aiomqtt.MqttError("the connection ended")
        ack.result()

    def _on_publish(
        self,
        client: paho.Client,
        userdata: Any,
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,
    ) -> None:
        ack = self._acks.get(mid)
        if ack is None or ack.done():
            return
        if reason_code.is_failure:
            ack.set_exception(PublishRefusedError(reason_code.value, str(reason_code)))
        else:
            ack.set_result(None)

    def _on_disconnect(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if not self._connected.done():
            # TLS 1.3 tells a client of its refused certificate only now.
            self._connected.set_exception(
                NoAnswerError("closed before an answer; certificate or protocol refused")
            )
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[AckingClient]:
        """Connect, and whatever happens leave no socket and no thread behind.

        The connection is cut without DISCONNECT, so that the broker publishes the will:
        call `leave` first to go in peace.
        """
        entering = asyncio.ensure_future(self.__aenter__())
        try:
            await self._entered(entering)
            yield self
        finally:
            self.cut()

    async def _entered(self, entering: asyncio.Task[Any]) -> None:
        try:
            await asyncio.shield(entering)
        except asyncio.CancelledError:
            # The connect runs in a thread and cannot be stopped; it ends by itself.
            with contextlib.suppress(aiomqtt.MqttError):
                await entering
            raise
        except MqttConnectError:
            raise
        except aiomqtt.MqttError as error:
            if self._client.socket() is not None:  # amqtt hangs over an MQTT 5 CONNECT
                raise NoAnswerError("connected, but no answer in time") from error
            raise

    async def leave(self) -> None:
        """Send DISCONNECT; the broker forgets the will."""
        if self._client.disconnect() == paho.MQTT_ERR_SUCCESS:
            await asyncio.wait((self._disconnected,), timeout=GOODBYE_SECONDS_MAX)

    def cut(self) -> None:
        """Close the socket now."""
        self._ended = True
        self._client._sock_close()  # paho has no public way that does not ask the broker
        if self._misc_task is not None:
            self._misc_task.cancel()
        for future in (self._connected, self._disconnected):
            if future.done() and not future.cancelled():
                future.exception()  # seen


class MqttBearer:
    """See `base.Bearer`; one instance a node, network and broker.

    Nothing is published in clear but `state`: without a key of `sealer` it does not connect.
    `archives` tells the node ids to keep links to, `state` what to publish for people
    beside online, boot and session. `boot` is the node's start counter: it must grow with
    each start, or others take a will of the last boot for ours.
    """

    name = "mqtt"

    def __init__(
        self,
        doorman: Doorman,
        events: LinkEvents,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        network_id: bytes,
        sealer: Sealer,
        archives: Callable[[], list[bytes]],
        state: Callable[[], dict[str, Any]],
        *,
        boot: int,
        username: str = "",
        password: str = "",
    ) -> None:
        self._doorman = doorman
        self._events = events
        self._broker = (host, port)
        self._tls = tls
        self._sealer = sealer
        self._archives = archives
        self._state = state
        self._boot = boot
        self._login = (username or None, password or None)
        self._root = f"{TOPIC_ROOT}/{network_id.hex()}"
        self._own = doorman.node_id.hex()
        self._nonce = secrets.token_bytes(NONCE_BYTES)
        self._session = 0
        self._protocol = aiomqtt.ProtocolVersion.V5
        self._word = "connecting"
        self._address = ""
        self._state_wanted = asyncio.Event()
        self.refused: Counter[str] = Counter()
        self._said = State(online=False, boot=boot)
        self._others: dict[str, int] = {}  # processes on our own `state`, their newest session
        self._met_itself = False
        self._clones = Clones(time.monotonic, self.refused)
        self._queue = OutQueue(self.refused, time.monotonic)
        self._contacts = Contacts(
            doorman,
            events,
            self._nonce,
            lambda to, payload, generation: self._publish(to.hex(), payload, generation),
            time.monotonic,
            self.refused,
            self._clones,
            lambda: self._address,
        )

    @property
    def word(self) -> str:
        return self._word

    @property
    def clones(self) -> list[Clone]:
        return self._clones.told()

    def broadcast(self, frame: bytes) -> None:
        """Publish on `all`; nothing while there is no broker."""
        if self._word == "connected":
            self._publish(EVERYBODY, bytes([FRAME]) + frame)

    def _publish(self, to: str, payload: bytes, generation: int | None = None) -> None:
        self._queue.put(to, self._sealer.seal(payload, self._topic(to), generation))

    def publish_state(self) -> None:
        """Publish `state` anew, at most once a second."""
        self._state_wanted.set()

    async def run(self) -> None:
        backoff = Backoff(RECONNECT_BASE_S, RECONNECT_CAP_S)
        lost_s = -HURRY_SECONDS
        met = False
        while True:
            await self._until_key()
            # In a task of its own: a group that fails while it is cancelled swallows the cancel.
            since_s = time.monotonic()
            connection = asyncio.ensure_future(self._connect())
            try:
                await asyncio.wait([connection])
            finally:
                if not connection.done():
                    connection.cancel()
                    await asyncio.wait([connection])
            if connection.result() and time.monotonic() - since_s > STEADY_S:
                backoff.reset()
                lost_s = time.monotonic()
            elif met:  # it takes connections, but not us: no hurry
                lost_s = -HURRY_SECONDS
            met = time.monotonic() - lost_s < HURRY_SECONDS and await self._is_back()
            if met:
                continue
            await asyncio.sleep(backoff.next_s())

    async def _until_key(self) -> None:
        while self._sealer.newest is None:
            if self._word != NO_KEY:
                log.warning("mqtt waits reason=no transit key")
            self._word = NO_KEY
            await asyncio.sleep(KEY_POLL_S)

    async def _is_back(self) -> bool:
        """Whether the broker's machine, met a short time ago, takes connections again.

        paho opens its own connection, with one SYN a second at first; this notices sooner.
        """
        await asyncio.sleep(HURRY_PAUSE_S)
        try:
            (await connect(self._broker, hurry=True)).close()
        except (OSError, TimeoutError) as error:
            text = str(error).rpartition("] ")[2] or "no answer"  # without [Errno 111]
            self._say(f"refused: {text}", error)
            return False
        return True

    async def _connect(self) -> bool:
        """One connection, from CONNECT to its end; True if the broker took us in."""
        taken_in = False
        reason = "stopping"
        try:
            self._session += 1
            async with self._client().connection() as client:
                taken_in = True
                self._address = client.address
                await self._converse(client)
        except* MqttConnectError as group:
            self._refused(group)
            reason = "broker lost"
        except* (aiomqtt.MqttError, BearerError, OSError) as group:
            self._failed(group)
            reason = "broker lost"
        finally:
            self._queue.clear()
            self._contacts.lost(reason)
        return taken_in

    def _client(self) -> AckingClient:
        five = self._protocol is aiomqtt.ProtocolVersion.V5
        options: dict[str, Any] = {"clean_session": True}
        if five:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = RECEIVE_MAX
            options = {"clean_start": True, "properties": properties}
        username, password = self._login
        return AckingClient(
            *self._broker,
            username=username,
            password=password,
            identifier=f"{self._own[:32]}-{self._nonce.hex()}",
            protocol=self._protocol,
            will=aiomqtt.Will(self._topic(STATE), self._state_json(online=False), 1, True),
            keepalive=KEEPALIVE_S,
            max_queued_incoming_messages=RECEIVE_MAX * 16,
            tls_context=self._tls,
            timeout=CONNECT_SECONDS_MAX,
            logger=PAHO_LOG,
            **options,
        )

    def _topic(self, to: str, sender: str | None = None) -> str:
        return f"{self._root}/{sender or self._own}/{to}"

    def _state_json(self, *, online: bool) -> bytes:
        facts = self._state() if online else {}
        facts = facts | {"online": online, "boot": self._boot, "session": self._session}
        facts["process"] = self._nonce.hex()
        return json.dumps(facts, ensure_ascii=False, sort_keys=True).encode()

    def _refused(self, group: BaseExceptionGroup[MqttConnectError]) -> None:
        error = _first(group)
        code = getattr(error, "rc", None)
        value = code.value if isinstance(code, ReasonCode) else code
        if value in UNSUPPORTED_PROTOCOL:
            self._other_protocol()
        self.refused["broker_refused"] += 1
        self._say(f"refused: the broker says {error}", error)

    def _failed(self, group: BaseExceptionGroup[Exception]) -> None:
        error = _first(group)
        if isinstance(error, NoAnswerError):  # perhaps it knows only 3.1.1
            self._other_protocol()
        text = str(error).rpartition("] ")[2]  # without [Errno 111]
        self._say("connecting" if self._word == "connected" else f"refused: {text}", error)

    def _say(self, word: str, error: BaseException) -> None:
        """Log a change; an outage of days is one line, not one every ten seconds."""
        level = logging.DEBUG if word == self._word else logging.WARNING
        log.log(level, "mqtt lost broker=%s:%d error=%s", *self._broker, error)
        self._word = word

    def _other_protocol(self) -> None:
        five, three = aiomqtt.ProtocolVersion.V5, aiomqtt.ProtocolVersion.V311
        self._protocol = three if self._protocol is five else five

    async def _converse(self, client: AckingClient) -> None:
        five = self._protocol is aiomqtt.ProtocolVersion.V5
        for to in (self._own, EVERYBODY, STATE):
            options = SubscribeOptions(
                qos=1,
                noLocal=to == EVERYBODY,
                retainHandling=0 if to == STATE else SubscribeOptions.RETAIN_DO_NOT_SEND,
            )
            topic = self._topic(to, sender="+")
            if five:
                codes = await client.subscribe(topic, options=options)
            else:
                codes = await client.subscribe(topic, qos=1)
            if any(_is_failure(code) for code in codes):
                self.refused["broker_refused_subscribe"] += 1
                raise BearerError(f"the broker refused the subscription to {to}")
        await self._say_state(client)
        self._word = "connected"
        log.info("mqtt connected broker=%s:%d version=%d", *self._broker, self._protocol)
        self._contacts.started(self._archives())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(client))
                group.create_task(self._tick())
                group.create_task(self._keep_state(client))
                for _slot in range(IN_FLIGHT_MAX):
                    group.create_task(self._write(client))
        except asyncio.CancelledError:
            with contextlib.suppress(aiomqtt.MqttError, BearerError, TimeoutError):
                async with asyncio.timeout(GOODBYE_SECONDS_MAX):
                    await client.publish_acked(
                        self._topic(STATE), self._state_json(online=False), retain=True
                    )
                await client.leave()
            raise

    async def _read(self, client: AckingClient) -> None:
        async for message in client.messages:
            self._take(client, message)

    def _take(self, client: AckingClient, message: aiomqtt.Message) -> None:
        def done() -> None:
            client.acknowledge(message)

        sender, to = _parse(self._root, str(message.topic))
        payload = message.payload
        if sender is None or not isinstance(payload, bytes):
            self.refused["bad_topic"] += 1
            done()
        elif sender == self._doorman.node_id:
            if to == STATE:
                self._check_own_state(payload)
            done()
        elif to == STATE:
            self._contacts.state(sender, payload)
            done()
        elif message.retain:
            self.refused["retained"] += 1
            done()
        elif to in (EVERYBODY, self._own):
            self._open(sender, to, payload, done)
        else:  # a broker may say that it was for us
            self.refused["bad_topic"] += 1
            done()

    def _open(self, sender: bytes, to: str, payload: bytes, done: Callable[[], None]) -> None:
        try:
            opened = self._sealer.open(payload, self._topic(to, sender.hex()))
        except RemoteProtocolError as error:  # a broker alters and repeats: no link is closed
            self.refused[error.reason] += 1
            if error.reason == UNKNOWN_KEY and to != EVERYBODY:
                self._contacts.unreadable(sender)
            done()
            return
        newest = self._sealer.newest
        behind = newest is not None and opened.generation < newest
        if to == EVERYBODY:
            self._heard(sender, opened.data, done)
        else:
            generation = opened.generation if behind else None
            self._contacts.message(sender, opened.data, done, generation)

    def _heard(self, sender: bytes, payload: bytes, done: Callable[[], None]) -> None:
        try:
            barred = self._doorman.bars(sender)
            if barred:
                raise BarredError(barred, sender)
            if payload[:1] != bytes([FRAME]) or not 1 < len(payload) <= 1 + FRAME_BYTES_MAX:
                raise FrameError("bad_payload", "on the topic for everybody")
            self._events.heard(sender, payload[1:], done)
        except RemoteProtocolError as error:  # there is no link to close
            self.refused[error.reason] += 1
            done()

    def _check_own_state(self, payload: bytes) -> None:
        """The will of a past connection may arrive after our word: say it again."""
        try:
            said = msgspec.json.decode(payload, type=State)
        except msgspec.DecodeError:
            said = None
        if said != self._said:
            self._state_wanted.set()
        if said is not None and said.process:
            self._check_process(said)

    def _check_process(self, said: State) -> None:
        """A process of our key that began after us, or connected again meanwhile, is a clone."""
        if said.process == self._nonce.hex():
            self._met_itself = True
            return
        session = self._others.get(said.process)
        began_later = session is None and self._met_itself and said.online
        came_back = session is not None and said.session > session
        if len(self._others) >= OTHERS_MAX:
            self._others.clear()
        self._others[said.process] = max(said.session, session or 0)
        if began_later or came_back:
            self._clones.own_key_at(self._doorman.node_id, "", self._address)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._contacts.tick(self._archives())

    async def _keep_state(self, client: AckingClient) -> None:
        while True:
            await self._state_wanted.wait()
            await self._say_state(client)
            await asyncio.sleep(STATE_EVERY_S)

    async def _say_state(self, client: AckingClient) -> None:
        self._state_wanted.clear()
        if self._queue.parked(STATE):
            return
        self._said = State(True, self._boot, self._session, self._nonce.hex())
        try:
            await client.publish_acked(
                self._topic(STATE), self._state_json(online=True), retain=True
            )
        except PublishRefusedError as error:
            self._park(STATE, error)

    async def _write(self, client: AckingClient) -> None:
        while True:
            to, payload = await self._queue.get()
            try:
                await client.publish_acked(self._topic(to), payload)
            except PublishRefusedError as error:
                self._park(to, error)

    def _park(self, to: str, error: PublishRefusedError) -> None:
        """Never again at the head of the queue: Mosquitto 2.0 hangs up after each 135."""
        name = "broker_not_authorised" if error.code == NOT_AUTHORISED else "broker_refused_publish"
        self.refused[name] += 1
        log.warning("mqtt publish refused to=%s error=%s", to[:8], error)
        self._queue.park(to, PARKED_S)
        if to not in (EVERYBODY, STATE):
            self._contacts.parked(bytes.fromhex(to))


def _parse(root: str, topic: str) -> tuple[bytes | None, str]:
    """Sender's node id and last level; None for a sender that is no node id."""
    sender, _slash, to = topic.removeprefix(f"{root}/").partition("/")
    try:
        node_id = bytes.fromhex(sender)
    except ValueError:
        return None, to
    return (node_id if len(node_id) == 32 and sender == node_id.hex() else None), to


def _is_failure(code: int | ReasonCode) -> bool:
    return (code.value if isinstance(code, ReasonCode) else code) >= 128


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
