import CRabbitMQ
import ConnectionKit
import Foundation

/// What the broker says unasked.
enum AMQPEvent {
    /// The broker answers for this message, or for all up to it.
    case confirmed(tag: UInt64, multiple: Bool, isAck: Bool)
    /// A mandatory message that no queue took; its confirm follows.
    case returned(AMQPMessage)
    case delivered(Delivery)
    /// The queue went away under its consumer.
    case consumerCancelled
    /// The broker takes no more messages from publishers.
    case blocked(reason: String)
    case unblocked
}

/// A message of which the method frame has come: header and body follow in frames of their own.
struct PartialContent {
    var tag: UInt64 = 0
    var redelivered = false
    var isReturn = false
    var message: AMQPMessage
    var missing: Int?

    init(_ deliver: amqp_basic_deliver_t) {
        tag = deliver.delivery_tag
        redelivered = deliver.redelivered != 0
        message = Self.empty(deliver.exchange, deliver.routing_key)
    }

    init(_ answer: amqp_basic_get_ok_t) {
        tag = answer.delivery_tag
        redelivered = answer.redelivered != 0
        message = Self.empty(answer.exchange, answer.routing_key)
    }

    init(_ returned: amqp_basic_return_t) {
        isReturn = true
        message = Self.empty(returned.exchange, returned.routing_key)
    }

    private static func empty(_ exchange: amqp_bytes_t, _ routingKey: amqp_bytes_t) -> AMQPMessage {
        AMQPMessage(
            exchange: String(exchange), routingKey: String(routingKey), body: [], contentType: nil, messageID: "",
            persistent: false, mandatory: false)
    }

    mutating func apply(_ properties: amqp_basic_properties_t, bodySize: UInt64) {
        func has(_ flag: CInt) -> Bool { properties._flags & amqp_flags_t(flag) != 0 }
        if has(AMQP_BASIC_CONTENT_TYPE_FLAG) { message.contentType = String(properties.content_type) }
        if has(AMQP_BASIC_HEADERS_FLAG) { message.headers = [String: AMQPValue](properties.headers) }
        if has(AMQP_BASIC_DELIVERY_MODE_FLAG) { message.persistent = properties.delivery_mode == 2 }
        if has(AMQP_BASIC_MESSAGE_ID_FLAG) { message.messageID = String(properties.message_id) }
        if has(AMQP_BASIC_TIMESTAMP_FLAG) {
            message.timestamp = Date(timeIntervalSince1970: Double(properties.timestamp))
        }
        if has(AMQP_BASIC_TYPE_FLAG) { message.type = String(properties.type) }
        if has(AMQP_BASIC_APP_ID_FLAG) { message.appID = String(properties.app_id) }
        missing = Int(bodySize)
        message.body.reserveCapacity(min(Int(bodySize), 1 << 20))
    }

    mutating func append(_ fragment: amqp_bytes_t) {
        message.body.append(contentsOf: UnsafeRawBufferPointer(start: fragment.bytes, count: fragment.len))
        missing = missing.map { $0 - fragment.len }
    }
}

extension AMQPLink {
    /// The next event that has arrived, without waiting; `nil` when there is none, and then nothing is left in the
    /// library's buffers either, so that the socket may be polled. Also sends and checks heartbeats.
    func nextEvent() throws(RabbitMQError) -> AMQPEvent? {
        while true {
            var frame = amqp_frame_t()
            var none = timeval(tv_sec: 0, tv_usec: 0)
            let status = amqp_simple_wait_frame_noblock(state, &frame, &none)
            if status == AMQP_STATUS_TIMEOUT.rawValue { return nil }
            try check(status, "read")
            let event = try event(of: frame)
            // Everything has been copied out of the frame.
            amqp_maybe_release_buffers_on_channel(state, frame.channel)
            if let event { return event }
        }
    }

    private func event(of frame: amqp_frame_t) throws(RabbitMQError) -> AMQPEvent? {
        switch CInt(frame.frame_type) {
        case AMQP_FRAME_METHOD:
            return try event(of: frame.payload.method)
        case AMQP_FRAME_HEADER:
            guard let properties = frame.payload.properties.decoded else { return nil }
            partial?.apply(
                properties.load(as: amqp_basic_properties_t.self), bodySize: frame.payload.properties.body_size)
            return wholeContent()
        case AMQP_FRAME_BODY:
            partial?.append(frame.payload.body_fragment)
            return wholeContent()
        default:
            return nil
        }
    }

    private func wholeContent() -> AMQPEvent? {
        guard let content = partial, let missing = content.missing, missing <= 0 else { return nil }
        partial = nil
        if content.isReturn { return .returned(content.message) }
        return .delivered(Delivery(tag: content.tag, redelivered: content.redelivered, message: content.message))
    }

    private func event(of method: amqp_method_t) throws(RabbitMQError) -> AMQPEvent? {
        guard let decoded = method.decoded else { return nil }
        switch method.id {
        case AMQP_BASIC_ACK_METHOD:
            let ack = decoded.load(as: amqp_basic_ack_t.self)
            return .confirmed(tag: ack.delivery_tag, multiple: ack.multiple != 0, isAck: true)
        case AMQP_BASIC_NACK_METHOD:
            let nack = decoded.load(as: amqp_basic_nack_t.self)
            return .confirmed(tag: nack.delivery_tag, multiple: nack.multiple != 0, isAck: false)
        case AMQP_BASIC_DELIVER_METHOD:
            partial = PartialContent(decoded.load(as: amqp_basic_deliver_t.self))
            return nil
        case AMQP_BASIC_RETURN_METHOD:
            partial = PartialContent(decoded.load(as: amqp_basic_return_t.self))
            return nil
        case AMQP_BASIC_CANCEL_METHOD:
            return .consumerCancelled
        case AMQP_CONNECTION_BLOCKED_METHOD:
            return .blocked(reason: String(decoded.load(as: amqp_connection_blocked_t.self).reason))
        case AMQP_CONNECTION_UNBLOCKED_METHOD:
            return .unblocked
        case AMQP_CHANNEL_CLOSE_METHOD, AMQP_CONNECTION_CLOSE_METHOD:
            throw refusal(method, "the broker closed")
        default:
            return nil
        }
    }
}
