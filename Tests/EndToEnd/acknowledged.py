"""What the suite has acknowledged to a load, and whether the audit trail has each of it exactly once."""

import collections
import threading
import typing

import psycopg

SERVICES = ("identity", "session", "profile", "mfa", "audit")

REFRESHED, UNDONE = "session.refreshed", "session.rotation.undone"
# An exchange in the place of one that nobody had the answer of: a fallback had given the token back.
REGAINED = "given_back_by_fallback"
EXCHANGE = """target_id, message, source_position, metadata->'details'->>'generation', metadata->'details'->>'edition'"""


class Exchange(typing.NamedTuple):
    """One record about an exchange of a session's refresh token."""

    kind: str  # exchanged, regained or undone
    session: str
    generation: int | None  # of the token that the exchange gave
    edition: int | None  # of the token that was exchanged
    position: int  # in session's stream: what happens to one session happens in this order


def exchange(session, message, position, generation, edition, is_undone=False):
    generation, edition = (None if text is None else int(text) for text in (generation, edition))
    if not is_undone:
        return Exchange("regained" if message == REGAINED else "exchanged", session, generation, edition, position)
    # It names the generation that is in force again.
    return Exchange("undone", session, None if generation is None else generation + 1, edition, position)


def times_acted_on(exchanges, undone):
    """How often one request was acted on, by the records of its exchanges: as the drill reckons (ExchangeRecord.swift).

    An exchange whose answer was lost is taken back, and done again under the same id; or it stands, and another gives the
    owner a successor in its place. Each of these accounts for one record, and only for one of the same session and token
    that came just before it: what is undone later does not explain a second record that was there by then.
    """

    def concerns(record, other):
        return record.session == other.session and (
            None in (record.generation, other.generation) or record.generation == other.generation
        )

    def replaces(record, before):
        return record.kind == "regained" and (
            None in (record.edition, before.edition) or record.edition > before.edition
        )

    groups = collections.defaultdict(list)
    for record in exchanges:
        groups[record.session, record.generation].append(record)
    count = 0
    for group in groups.values():
        undoing = [record for record in undone if any(concerns(record, other) for other in group)]
        standing, is_first = None, True
        for record in sorted(group + undoing, key=lambda record: record.position):
            if record.kind == "undone":
                standing = None
                continue
            count += not (replaces(record, standing) if standing else not is_first)
            standing, is_first = record, False
    return count


class Acknowledged:
    """By the request ids that the load chose: they reach the trail through gateway, service and event."""

    def __init__(self):
        self.lock = threading.Lock()
        self.expected = {}  # request id -> the action that the trail must have once
        self.ended = {}  # session id -> the access token that was signed out

    def add(self, request, action):
        with self.lock:
            self.expected[request] = action

    def end(self, session, token):
        with self.lock:
            self.ended[session] = token

    def count(self, action):
        return sum(expected == action for expected in self.expected.values())

    def missing_or_doubled(self, suite):
        """A line for each that does not have its one record; nothing when all is well."""
        with psycopg.connect(suite.env()["AUDIT_DATABASE_URL"]) as connection:
            records = connection.execute(
                f"SELECT request_id, action, {EXCHANGE} FROM audit_records WHERE request_id = ANY(%s) AND action <> %s",
                (list(self.expected), UNDONE),
            ).fetchall()
            ended = connection.execute(
                "SELECT target_id FROM audit_records WHERE action = 'session.revoked' AND target_id = ANY(%s)",
                (list(self.ended),),
            ).fetchall()
            exchanges = collections.defaultdict(list)
            for request, action, *record in records:
                if action == REFRESHED:
                    exchanges[request].append(exchange(*record))
            several = {request: group for request, group in exchanges.items() if len(group) > 1}
            # Under whichever request's id: identity tells session of several at once.
            undone = connection.execute(
                f"SELECT {EXCHANGE} FROM audit_records WHERE action = %s AND target_id = ANY(%s)",
                (UNDONE, list({record.session for group in several.values() for record in group})),
            ).fetchall()
        found = collections.Counter((request, action) for request, action, *_ in records)
        undone = [exchange(*record, is_undone=True) for record in undone]
        for request, group in several.items():
            found[request, REFRESHED] = times_acted_on(group, undone)
        wrong = [
            f"{request}: {action} {found[request, action]} times"
            for request, action in self.expected.items()
            if found[request, action] != 1
        ]
        revoked = collections.Counter(session for (session,) in ended)
        wrong += [f"{session}: revoked {revoked[session]} times" for session in self.ended if revoked[session] != 1]
        return wrong


def heads(suite):
    """The last numbered position of each producer's stream, from its own database.

    None while something waits for a number. Positions have no gap, and each event is linked to the one before it.
    """
    positions = {}
    for service in SERVICES:
        with psycopg.connect(suite.env()[f"{service.upper()}_DATABASE_URL"]) as connection:
            waiting, head, count, highest, broken = connection.execute(
                """
                SELECT (SELECT count(*) FROM outbox), (SELECT position FROM stream_head), count(*),
                    coalesce(max(position), 0), count(*) FILTER (WHERE previous_hash <> before)
                FROM (SELECT position, previous_hash, lag(hash) OVER (ORDER BY position) AS before FROM stream_events) e
                """
            ).fetchone()
        assert head == count == highest, f"the stream of {service} has a gap: {head}, {count}, {highest}"
        assert broken == 0, f"the stream of {service} has {broken} broken links"
        # Audit's own stream grows with each checkpoint: how far it had come is what has to be reached.
        if waiting and service != "audit":
            return None
        positions[service] = head
    return positions


def complete(suite):
    """How far the audit service says that it holds each producer's stream, without a gap and with every link checked."""
    with psycopg.connect(suite.env()["AUDIT_DATABASE_URL"]) as connection:
        rows = connection.execute("SELECT source, complete_to, conflict FROM audit_streams").fetchall()
    assert all(conflict is None for _, _, conflict in rows), rows
    return {source.removeprefix("/authms/"): position for source, position, _ in rows}


def streams_are_complete(suite):
    """Whether the trail holds every stream up to the head that its source names now."""
    reached = heads(suite)
    if reached is None:
        return False
    held = complete(suite)
    return all(held.get(service, 0) >= head for service, head in reached.items())
