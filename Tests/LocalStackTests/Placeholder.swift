enum LocalStackTestsPlaceholder {}
