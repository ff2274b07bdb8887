-- Which edition of the token before was exchanged for the present one: 0 is the one that this service gave, each fallback that
-- answered without this database gives out the next. An edition that is newer than the exchanged one is its owner's, not a
-- thief's. No index has it: a refresh stays a heap-only update.
ALTER TABLE sessions ADD COLUMN exchanged_edition bigint NOT NULL DEFAULT 0;
