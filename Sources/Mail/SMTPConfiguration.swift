/// Which mail server takes our mails, and how it is talked to.
package struct SMTPConfiguration: Sendable {
    /// Whether a connection to `smtp://` must turn to TLS (RFC 3207). `smtps://` is TLS from the first byte (RFC 8314).
    package enum StartTLS: String, Sendable, CaseIterable {
        case required, optional, off
    }

    /// `smtp://host:port` or `smtps://host:port`, without credentials.
    package var url: String
    /// For AUTH (RFC 4954); whichever mechanism the server and libcurl agree on.
    package var username: String?
    package var password: String?
    package var startTLS: StartTLS
    /// PEM certificates to trust instead of the system's.
    package var caFile: String?
    /// What we say we are in EHLO.
    package var helloName: String
    package var sender: MailSender

    package init(
        url: String, username: String? = nil, password: String? = nil, startTLS: StartTLS = .required,
        caFile: String? = nil, helloName: String = "authms", sender: MailSender
    ) {
        self.url = url
        self.username = username
        self.password = password
        self.startTLS = startTLS
        self.caFile = caFile
        self.helloName = helloName
        self.sender = sender
    }
}
