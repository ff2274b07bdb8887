enum ConnectionKitTestsPlaceholder {}
