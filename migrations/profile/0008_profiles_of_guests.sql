-- A user has a profile in each tenant that they work in: custom fields are as that tenant says, and what a guest writes there
-- is not what they show at home. So both make the key, of profiles and of pictures.
-- A replica of before works on it but for one thing: its uploads of pictures, which name the old key, fail until it has gone.

ALTER TABLE avatars DROP CONSTRAINT avatars_user_id_fkey;
ALTER TABLE profiles DROP CONSTRAINT profiles_pkey, ADD PRIMARY KEY (user_id, tenant_id);
ALTER TABLE avatars DROP CONSTRAINT avatars_pkey, ADD PRIMARY KEY (user_id, tenant_id),
    ADD FOREIGN KEY (user_id, tenant_id) REFERENCES profiles (user_id, tenant_id) ON DELETE CASCADE;
