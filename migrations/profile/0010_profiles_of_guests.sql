-- A user has a profile in each tenant that they work in: custom fields are as that tenant says, and what a guest writes there
-- is not what they show at home. So both make the key, of profiles and of pictures.
-- A replica of before works on it but for one thing: its uploads of pictures, which name the old key, fail until it has gone.
-- The indexes are there already, and the pictures that are there are checked afterwards, so that nobody waits for a table to be
-- read.

ALTER TABLE avatars DROP CONSTRAINT avatars_user_id_fkey;
ALTER TABLE profiles DROP CONSTRAINT profiles_pkey,
    ADD CONSTRAINT profiles_pkey PRIMARY KEY USING INDEX profiles_of_user_in_tenant;
ALTER TABLE avatars DROP CONSTRAINT avatars_pkey,
    ADD CONSTRAINT avatars_pkey PRIMARY KEY USING INDEX avatars_of_user_in_tenant,
    ADD CONSTRAINT avatars_user_id_tenant_id_fkey FOREIGN KEY (user_id, tenant_id)
        REFERENCES profiles (user_id, tenant_id) ON DELETE CASCADE NOT VALID;
