-- Invitations of an address are mailed there. The code that the mail holds is computed from the row's salt under a key that is in
-- no database, as the codes of other mails are; without a salt there is nothing to mail.
ALTER TABLE invitations
    ADD COLUMN email text,
    ADD COLUMN salt  bytea CHECK (octet_length(salt) = 32);

-- So many go to one address in an hour.
CREATE INDEX invitations_by_address ON invitations (email_key, created_at) WHERE email_key IS NOT NULL;
