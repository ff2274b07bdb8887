-- Pictures of before the new key are checked while both tables are in use.
ALTER TABLE avatars VALIDATE CONSTRAINT avatars_user_id_tenant_id_fkey;
