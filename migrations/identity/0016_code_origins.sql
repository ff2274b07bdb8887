-- From where a code was asked for: a network in hexadecimal, NULL for an address that is not counted by. So many of one person
-- are asked for from one network in an hour, and a stranger there leaves the others to their owner.
ALTER TABLE codes ADD COLUMN asked_from text;
