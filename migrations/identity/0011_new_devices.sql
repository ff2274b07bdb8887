-- Whether a tenant's users get a mail when they sign in with a device that they have not used before.
ALTER TABLE tenants ADD COLUMN new_device_mail boolean NOT NULL DEFAULT true;
