import CRabbitMQ
import ConnectionKit
import Foundation

// Requests that the broker answers. An error leaves the channel closed: the link is to be discarded then.
extension AMQPLink {
    func declare(_ topology: Topology) throws(RabbitMQError) {
        for exchange in topology.exchanges {
            _ = amqp_exchange_declare(
                state, Self.channel, scratch.bytes(exchange.name), scratch.bytes(exchange.kind.rawValue), 0,
                exchange.durable ? 1 : 0, exchange.autoDelete ? 1 : 0, 0, scratch.table(exchange.arguments))
            try checkReply("declare exchange \(exchange.name)")
        }
        for queue in topology.queues { _ = try declare(queue) }
        for binding in topology.bindings { try bind(binding) }
    }

    /// - Returns: the queue's name, which the broker chose where none was given.
    func declare(_ queue: Topology.Queue) throws(RabbitMQError) -> String {
        let answer = amqp_queue_declare(
            state, Self.channel, scratch.bytes(queue.name), 0, queue.durable ? 1 : 0, queue.exclusive ? 1 : 0,
            queue.autoDelete ? 1 : 0, scratch.table(queue.arguments))
        try checkReply("declare queue \(queue.name)")
        return answer.map { String($0.pointee.queue) } ?? queue.name
    }

    func inspect(queue: String) throws(RabbitMQError) -> (messages: Int, consumers: Int) {
        let answer = amqp_queue_declare(
            state, Self.channel, scratch.bytes(queue), 1, 0, 0, 0, scratch.table([:]))
        try checkReply("inspect queue \(queue)")
        guard let answer else { return (0, 0) }
        return (Int(answer.pointee.message_count), Int(answer.pointee.consumer_count))
    }

    func bind(_ binding: Topology.Binding) throws(RabbitMQError) {
        _ = amqp_queue_bind(
            state, Self.channel, scratch.bytes(binding.queue), scratch.bytes(binding.exchange),
            scratch.bytes(binding.routingKey), scratch.table(binding.arguments))
        try checkReply("bind queue \(binding.queue) to exchange \(binding.exchange)")
    }

    func unbind(_ binding: Topology.Binding) throws(RabbitMQError) {
        _ = amqp_queue_unbind(
            state, Self.channel, scratch.bytes(binding.queue), scratch.bytes(binding.exchange),
            scratch.bytes(binding.routingKey), scratch.table(binding.arguments))
        try checkReply("unbind queue \(binding.queue) from exchange \(binding.exchange)")
    }

    func purge(queue: String) throws(RabbitMQError) -> Int {
        let answer = amqp_queue_purge(state, Self.channel, scratch.bytes(queue))
        try checkReply("purge queue \(queue)")
        return Int(answer?.pointee.message_count ?? 0)
    }

    func delete(queue: String) throws(RabbitMQError) -> Int {
        let answer = amqp_queue_delete(state, Self.channel, scratch.bytes(queue), 0, 0)
        try checkReply("delete queue \(queue)")
        return Int(answer?.pointee.message_count ?? 0)
    }

    func delete(exchange: String) throws(RabbitMQError) {
        _ = amqp_exchange_delete(state, Self.channel, scratch.bytes(exchange), 0)
        try checkReply("delete exchange \(exchange)")
    }

    /// Turns publisher confirms on: messages are numbered from 1.
    func selectConfirms() throws(RabbitMQError) {
        _ = amqp_confirm_select(state, Self.channel)
        try checkReply("confirm.select")
    }

    func limitPrefetch(to count: Int) throws(RabbitMQError) {
        _ = amqp_basic_qos(state, Self.channel, 0, UInt16(clamping: count), 0)
        try checkReply("basic.qos")
    }

    /// - Returns: the consumer's tag.
    func consume(queue: String) throws(RabbitMQError) -> String {
        let answer = amqp_basic_consume(
            state, Self.channel, scratch.bytes(queue), scratch.bytes(""), 0, 0, 0, scratch.table([:]))
        try checkReply("consume queue \(queue)")
        return answer.map { String($0.pointee.consumer_tag) } ?? ""
    }

    /// No delivery follows the answer; those that came before it are still to be read.
    func cancel(consumer tag: String) throws(RabbitMQError) {
        _ = amqp_basic_cancel(state, Self.channel, scratch.bytes(tag))
        try checkReply("basic.cancel")
    }

    /// Requests one message; its content arrives as an event.
    ///
    /// - Returns: `false` when the queue is empty.
    func get(queue: String) throws(RabbitMQError) -> Bool {
        let reply = amqp_basic_get(state, Self.channel, scratch.bytes(queue), 0)
        scratch.recycle()
        try check(reply, "basic.get from queue \(queue)")
        guard reply.reply.id == AMQP_BASIC_GET_OK_METHOD, let decoded = reply.reply.decoded else { return false }
        partial = PartialContent(decoded.load(as: amqp_basic_get_ok_t.self))
        return true
    }
}

// Sent without an answer.
extension AMQPLink {
    func settle(_ tag: UInt64, _ verdict: DeliveryVerdict, multiple: Bool = false) throws(RabbitMQError) {
        let status =
            switch verdict {
            case .ack: amqp_basic_ack(state, Self.channel, tag, multiple ? 1 : 0)
            case .requeue: amqp_basic_nack(state, Self.channel, tag, multiple ? 1 : 0, 1)
            case .reject: amqp_basic_nack(state, Self.channel, tag, multiple ? 1 : 0, 0)
            }
        try check(status, "settle a delivery")
    }

    func publish(_ message: AMQPMessage) throws(RabbitMQError) {
        defer { scratch.recycle() }
        var properties = amqp_basic_properties_t()
        var flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG
        properties.delivery_mode = message.persistent ? 2 : 1
        properties.message_id = scratch.bytes(message.messageID)
        if let contentType = message.contentType {
            flags |= AMQP_BASIC_CONTENT_TYPE_FLAG
            properties.content_type = scratch.bytes(contentType)
        }
        if !message.headers.isEmpty {
            flags |= AMQP_BASIC_HEADERS_FLAG
            properties.headers = scratch.table(message.headers)
        }
        if let timestamp = message.timestamp {
            flags |= AMQP_BASIC_TIMESTAMP_FLAG
            properties.timestamp = UInt64(max(0, timestamp.timeIntervalSince1970))
        }
        if let type = message.type {
            flags |= AMQP_BASIC_TYPE_FLAG
            properties.type = scratch.bytes(type)
        }
        if let appID = message.appID {
            flags |= AMQP_BASIC_APP_ID_FLAG
            properties.app_id = scratch.bytes(appID)
        }
        if let expiration = message.expiration {
            flags |= AMQP_BASIC_EXPIRATION_FLAG
            properties.expiration = scratch.bytes(String(Int64(expiration / .milliseconds(1))))
        }
        properties._flags = amqp_flags_t(flags)
        let status = message.body.withUnsafeBytes { body in
            amqp_basic_publish(
                state, Self.channel, scratch.bytes(message.exchange), scratch.bytes(message.routingKey),
                message.mandatory ? 1 : 0, 0, &properties,
                amqp_bytes_t(len: body.count, bytes: UnsafeMutableRawPointer(mutating: body.baseAddress)))
        }
        try check(status, "publish")
    }
}
