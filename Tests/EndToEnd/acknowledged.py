"""What the suite has acknowledged to a load, and whether the audit trail has each of it exactly once."""

import collections
import threading

import psycopg

SERVICES = ("identity", "session", "profile", "mfa", "audit")


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
                "SELECT request_id, action FROM audit_records WHERE request_id = ANY(%s)", (list(self.expected),)
            ).fetchall()
            ended = connection.execute(
                "SELECT target_id FROM audit_records WHERE action = 'session.revoked' AND target_id = ANY(%s)",
                (list(self.ended),),
            ).fetchall()
        found = collections.Counter(records)
        for request, action in records:
            if action == "session.rotation.undone":  # an exchange whose answer was lost, done again under the same id
                # Its owner may have had the answer after all, before it was taken back.
                found[request, "session.refreshed"] = max(1, found[request, "session.refreshed"] - 1)
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
