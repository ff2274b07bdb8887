-- The number of the last report of second factors that was heard. The mfa service numbers its reports: a database that was
-- set back has heard fewer of them than that service remembers, which then tells again what was said since.
CREATE TABLE second_factor_reports (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    last      bigint  NOT NULL DEFAULT 0
);

INSERT INTO second_factor_reports DEFAULT VALUES;
