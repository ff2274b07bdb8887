import CCurl
import ConnectionKit
import Foundation

/// One libcurl handle: keeps its connection from mail to mail, and blocks its thread while it sends.
///
/// Owned by an actor on a thread of its own; libcurl's handles may be used from one thread at a time.
final class CurlMail {
    private let handle: OpaquePointerBox

    /// Holds the handle, which libcurl's headers call `CURL *`, that is `void *`.
    private final class OpaquePointerBox {
        let pointer: UnsafeMutableRawPointer

        init?() {
            guard CurlMail.isReady, let pointer = curl_easy_init() else { return nil }
            self.pointer = pointer
        }

        deinit { curl_easy_cleanup(pointer) }
    }

    /// Initialises the library, once, for all threads.
    private static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    init() throws(MailError) {
        guard let handle = OpaquePointerBox() else { throw MailError(.unavailable, "libcurl does not start") }
        self.handle = handle
    }

    /// Sends one mail over a new connection or the one before's.
    ///
    /// - Parameter socketPath: a Unix socket to talk over instead of the network.
    func send(
        _ message: MailMessage, by configuration: SMTPConfiguration, socketPath: String? = nil, deadline: Deadline
    ) throws(MailError) {
        guard message.isAddressable else {
            throw MailError(.refused(code: 0), "the recipient's address cannot be written into a mail")
        }
        let curl = handle.pointer
        curl_easy_reset(curl)
        let headers = CurlList(Self.headers(message, sender: configuration.sender))
        let recipients = CurlList(["<\(message.recipient)>"])
        let body = CurlBody(message, handle: curl)
        configure(configuration, deadline: deadline)
        curl_set_text(curl, CURLOPT_MAIL_FROM, "<\(configuration.sender.address)>")
        curl_set_pointer(curl, CURLOPT_MAIL_RCPT, recipients.head)
        curl_set_pointer(curl, CURLOPT_HTTPHEADER, headers.head)
        curl_set_pointer(curl, CURLOPT_MIMEPOST, UnsafeMutableRawPointer(body.mime))
        if let socketPath { curl_set_text(curl, CURLOPT_UNIX_SOCKET_PATH, socketPath) }
        let code = curl_easy_perform(curl)
        guard code != CURLE_OK else { return }
        throw Self.error(code, reply: reply(), isTransferring: isTransferring)
    }

    private func configure(_ configuration: SMTPConfiguration, deadline: Deadline) {
        let curl = handle.pointer
        curl_set_text(curl, CURLOPT_URL, "\(configuration.url)/\(configuration.helloName)")
        curl_set_text(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        curl_set_long(curl, CURLOPT_NOSIGNAL, 1)
        // A proxy of the environment is for the web, not for mail.
        curl_set_text(curl, CURLOPT_PROXY, "")
        let remaining = max(1, Int(deadline.remainingMilliseconds))
        curl_set_long(curl, CURLOPT_TIMEOUT_MS, remaining)
        curl_set_long(curl, CURLOPT_CONNECTTIMEOUT_MS, min(remaining, 5_000))
        let security =
            switch configuration.startTLS {
            case .required: CURLUSESSL_ALL
            case .optional: CURLUSESSL_TRY
            case .off: CURLUSESSL_NONE
            }
        curl_set_long(curl, CURLOPT_USE_SSL, Int(security.rawValue))
        curl_set_long(curl, CURLOPT_SSLVERSION, 6 /* CURL_SSLVERSION_TLSv1_2 */)
        if let file = configuration.caFile { curl_set_text(curl, CURLOPT_CAINFO, file) }
        if let username = configuration.username {
            curl_set_text(curl, CURLOPT_USERNAME, username)
            curl_set_text(curl, CURLOPT_PASSWORD, configuration.password ?? "")
        }
    }

    private static func headers(_ message: MailMessage, sender: MailSender) -> [String] {
        let domain = sender.address.split(separator: "@").last.map(String.init) ?? "localhost"
        return [
            "Date: \(message.date.formatted(Self.dateFormat))",
            "From: \(sender.header)",
            "To: <\(message.recipient)>",
            "Subject: \(message.subject)",
            "Message-ID: <\(message.id.uuidString.lowercased())@\(domain)>",
            // RFC 3834: no vacation replies to a machine.
            "Auto-Submitted: auto-generated",
        ]
    }

    /// RFC 5322, section 3.3.
    private static let dateFormat = Date.VerbatimFormatStyle(
        format: """
            \(weekday: .abbreviated), \(day: .twoDigits) \(month: .abbreviated) \(year: .defaultDigits) \
            \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\(second: .twoDigits) +0000
            """,
        locale: Locale(identifier: "en_US_POSIX"), timeZone: .gmt, calendar: Calendar(identifier: .gregorian))

    /// The code of the server's last reply; 0 when there was none.
    private func reply() -> Int {
        var code = 0
        curl_get_long(handle.pointer, CURLINFO_RESPONSE_CODE, &code)
        return code
    }

    /// Whether the server had agreed to DATA, so that the mail itself was on its way.
    private var isTransferring: Bool {
        var microseconds: curl_off_t = 0
        curl_get_offset(handle.pointer, CURLINFO_PRETRANSFER_TIME_T, &microseconds)
        return microseconds > 0
    }

    private static func error(_ code: CURLcode, reply: Int, isTransferring: Bool) -> MailError {
        let words = curl_easy_strerror(code).map { String(cString: $0) } ?? "error \(code.rawValue)"
        // What libcurl says of MAIL, RCPT and DATA; of the reply after the mail it says the same as of the greeting.
        let isAboutMail =
            switch code {
            case CURLE_SEND_ERROR: true
            case CURLE_WEIRD_SERVER_REPLY, CURLE_RECV_ERROR: isTransferring
            default: false
            }
        // 421: the server is closing; 454, 530, 534, 535: it is we who are not let in.
        let isOurs = [421, 454, 530, 534, 535].contains(reply)
        if isAboutMail, (400..<600).contains(reply), !isOurs {
            return MailError(.refused(code: reply), "the mail server answered \(reply)")
        }
        return MailError(.unavailable, reply == 0 ? words : "\(words) (the mail server answered \(reply))")
    }
}

/// A `curl_slist` that is freed with its owner.
private final class CurlList {
    private(set) var head: UnsafeMutablePointer<curl_slist>?

    init(_ lines: [String]) {
        for line in lines { head = curl_slist_append(head, line) }
    }

    deinit { curl_slist_free_all(head) }
}

/// The two parts of a mail, as libcurl puts them together.
private final class CurlBody {
    let mime: OpaquePointer?

    init(_ message: MailMessage, handle: UnsafeMutableRawPointer) {
        mime = curl_mime_init(handle)
        let alternatives = curl_mime_init(handle)
        for (text, type) in [(message.plainText, "text/plain"), (message.html, "text/html")] {
            let part = curl_mime_addpart(alternatives)
            curl_mime_data(part, text, text.utf8.count)
            curl_mime_type(part, "\(type); charset=utf-8")
            curl_mime_encoder(part, "quoted-printable")
        }
        let whole = curl_mime_addpart(mime)
        curl_mime_subparts(whole, alternatives)
        curl_mime_type(whole, "multipart/alternative")
    }

    deinit { curl_mime_free(mime) }
}
