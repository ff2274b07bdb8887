-- With which devices, and from which networks, a user has signed in: so that a sign-in with another one can be told of.
-- It outlives the sessions themselves.
CREATE TABLE seen_devices (
    user_id   uuid        NOT NULL,
    -- SHA-256 of the device's name and the network.
    device    bytea       NOT NULL CHECK (octet_length(device) = 32),
    -- The last sign-in, to the day.
    seen_at   timestamptz NOT NULL,
    PRIMARY KEY (user_id, device)
);

CREATE INDEX seen_devices_by_time ON seen_devices (seen_at);
