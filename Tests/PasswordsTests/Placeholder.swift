enum PasswordsTestsPlaceholder {}
