enum PasswordsPlaceholder {}
