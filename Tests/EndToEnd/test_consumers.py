"""A third party reads events from a queue of its own, and can do nothing else on the broker."""

import json

import pika
import pytest

from test_broker import rabbitmqctl
from waiting import until


def connect(url):
    return pika.BlockingConnection(pika.URLParameters(url))


def refused(url, act):
    """The broker closes the channel, saying that access is refused."""
    with connect(url) as connection:
        with pytest.raises(pika.exceptions.ChannelClosedByBroker) as closed:
            channel = connection.channel()
            channel.confirm_delivery()
            act(channel)
        assert closed.value.reply_code == 403


def test_a_consumer_reads_its_own_queue_and_nothing_else(suite, make_account):
    made = json.loads(suite.authms("consumers", "add", "billing", "--types", "identity.user.#", "--json").stdout)
    account = make_account()
    account.login()
    with connect(made["url"]) as connection:
        channel = connection.channel()
        for method, _, body in channel.consume(made["queue"], inactivity_timeout=15):
            assert method, "no event came"
            event = json.loads(body)
            assert method.routing_key.startswith("identity.user.")
            channel.basic_ack(method.delivery_tag)
            if event["subject"] == account.id:
                break
        channel.cancel()
    url = made["url"]
    refused(url, lambda channel: channel.basic_publish("authms.events", "identity.user.updated", b"{}"))
    refused(url, lambda channel: channel.basic_publish("", "authms.audit", b"{}"))
    refused(url, lambda channel: channel.basic_get("authms.audit"))
    refused(url, lambda channel: channel.queue_declare("mine"))
    refused(url, lambda channel: channel.queue_bind(made["queue"], "authms.events", "session.#"))
    refused(url, lambda channel: channel.queue_delete(made["queue"]))

    again = json.loads(suite.authms("consumers", "add", "billing", "--types", "identity.user.#", "--json").stdout)
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        connect(url).close()
    connect(again["url"]).close()
    listed = lambda: {row["name"] for row in json.loads(suite.authms("consumers", "list", "--json").stdout)}
    assert "billing" in listed()
    suite.authms("consumers", "remove", "billing")
    until(lambda: "billing" not in listed(), saying="the consumer is gone")


def test_on_another_broker_its_administrator_makes_the_user_with_the_commands_that_are_printed(suite, make_account):
    """The suite's own broker by its address alone, as a stranger's would be."""
    url = suite.env()["AMQP_URL"]
    try:
        made = json.loads(suite.authms("consumers", "add", "elsewhere", "--amqp-url", url, "--json").stdout)
        for command in made["commands"]:
            assert command[0] == "rabbitmqctl"
            # The password, which the command would ask for.
            arguments = [*command[1:], "pass-word"] if command[1] == "add_user" else command[1:]
            rabbitmqctl(suite, *arguments)
        own = f"amqp://{made['user']}:pass-word@{url.split('@')[1]}"
        make_account()
        with connect(own) as connection:
            method, _, body = next(connection.channel().consume(made["queue"], inactivity_timeout=15, auto_ack=True))
            assert method and json.loads(body)["specversion"] == "1.0"
        refused(own, lambda channel: channel.basic_get("authms.audit"))
        refused(own, lambda channel: channel.basic_publish("authms.events", "identity.user.updated", b"{}"))
        shown = suite.authms("consumers", "add", "shown", "--amqp-url", url).stdout
        assert "rabbitmqctl set_permissions -p '/' consumer-shown '^$' '^$' '^authms\\.consumer\\.shown$'" in shown
    finally:
        suite.authms("consumers", "remove", "elsewhere", check=False)
        # Bound to everything, they would be there for every event that another test wants nobody to have. Without its
        # user a consumer's queue is not removed by the command.
        with connect(url) as connection:
            for name in ("elsewhere", "shown"):
                connection.channel().queue_delete(f"authms.consumer.{name}")


@pytest.mark.parametrize("name", ["", "Billing", "a b", "x" * 41, "../x", "a.*"])
def test_a_name_that_cannot_be_is_refused(suite, name):
    done = suite.authms("consumers", "add", name, check=False)
    assert done.returncode != 0 and "cannot name a consumer" in done.stderr
