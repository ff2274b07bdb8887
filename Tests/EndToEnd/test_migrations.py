"""Every service's migrations stand alone, and yet the outbox is one text: it may not drift apart unseen."""


def test_the_outbox_is_the_same_text_in_every_service(repository):
    texts = {path.parent.name: path.read_text() for path in repository.glob("migrations/*/0001_outbox.sql")}
    assert set(texts) == {"identity", "profile", "session", "mfa", "audit"}
    assert len(set(texts.values())) == 1
