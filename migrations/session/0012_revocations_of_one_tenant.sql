-- Whether a user's revocation refuses the tokens of its tenant alone: a guest who goes from one tenant stays signed in at home.
-- A replica of before neither writes nor reads it, and refuses the user's tokens in all tenants.
ALTER TABLE revocations ADD COLUMN within_tenant boolean NOT NULL DEFAULT false;
