import CRabbitMQ

/// Memory for what one library call reads: strings and tables in the library's layout, freed all at once.
final class AMQPScratch {
    private let pool: UnsafeMutablePointer<amqp_pool_t>

    init() {
        pool = .allocate(capacity: 1)
        init_amqp_pool(pool, 4_096)
    }

    deinit {
        empty_amqp_pool(pool)
        pool.deallocate()
    }

    /// Takes back all that was handed out so far.
    func recycle() {
        recycle_amqp_pool(pool)
    }

    func bytes(_ text: String) -> amqp_bytes_t {
        var text = text
        return text.withUTF8 { copy(UnsafeRawBufferPointer($0)) }
    }

    func table(_ values: [String: AMQPValue]) -> amqp_table_t {
        guard !values.isEmpty, let entries = array(of: amqp_table_entry_t.self, count: values.count) else {
            return amqp_table_t(num_entries: 0, entries: nil)
        }
        for (index, (key, value)) in values.enumerated() {
            entries[index] = amqp_table_entry_t(key: bytes(key), value: field(value))
        }
        return amqp_table_t(num_entries: CInt(values.count), entries: entries)
    }

    private func field(_ value: AMQPValue) -> amqp_field_value_t {
        var field = amqp_field_value_t()
        func kind(_ kind: amqp_field_value_kind_t) { field.kind = UInt8(kind.rawValue) }
        switch value {
        case .bool(let flag):
            kind(AMQP_FIELD_KIND_BOOLEAN)
            field.value.boolean = flag ? 1 : 0
        case .int(let number):
            kind(AMQP_FIELD_KIND_I64)
            field.value.i64 = number
        case .double(let number):
            kind(AMQP_FIELD_KIND_F64)
            field.value.f64 = number
        case .string(let text):
            kind(AMQP_FIELD_KIND_UTF8)
            field.value.bytes = bytes(text)
        case .bytes(let content):
            kind(AMQP_FIELD_KIND_BYTES)
            field.value.bytes = content.withUnsafeBytes { copy($0) }
        case .timestamp(let seconds):
            kind(AMQP_FIELD_KIND_TIMESTAMP)
            field.value.u64 = seconds
        case .array(let values):
            kind(AMQP_FIELD_KIND_ARRAY)
            let entries = array(of: amqp_field_value_t.self, count: values.count)
            for (index, value) in values.enumerated() { entries?[index] = self.field(value) }
            field.value.array = amqp_array_t(num_entries: entries == nil ? 0 : CInt(values.count), entries: entries)
        case .table(let values):
            kind(AMQP_FIELD_KIND_TABLE)
            field.value.table = table(values)
        case .null:
            kind(AMQP_FIELD_KIND_VOID)
        }
        return field
    }

    private func copy(_ content: UnsafeRawBufferPointer) -> amqp_bytes_t {
        guard !content.isEmpty, let memory = amqp_pool_alloc(pool, content.count), let source = content.baseAddress
        else { return amqp_bytes_t(len: 0, bytes: nil) }
        memory.copyMemory(from: source, byteCount: content.count)
        return amqp_bytes_t(len: content.count, bytes: memory)
    }

    private func array<Element>(of type: Element.Type, count: Int) -> UnsafeMutablePointer<Element>? {
        guard count > 0 else { return nil }
        return amqp_pool_alloc(pool, count * MemoryLayout<Element>.stride)?
            .bindMemory(to: type, capacity: count)
    }
}

extension String {
    init(_ bytes: amqp_bytes_t) {
        self.init(decoding: UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len), as: UTF8.self)
    }
}

extension [UInt8] {
    init(_ bytes: amqp_bytes_t) {
        self.init(UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len))
    }
}

extension [String: AMQPValue] {
    init(_ table: amqp_table_t) {
        self.init(minimumCapacity: Int(table.num_entries))
        for entry in UnsafeBufferPointer(start: table.entries, count: Int(table.num_entries)) {
            self[String(entry.key)] = AMQPValue(entry.value)
        }
    }
}

extension AMQPValue {
    init(_ field: amqp_field_value_t) {
        let value = field.value
        switch amqp_field_value_kind_t(UInt32(field.kind)) {
        case AMQP_FIELD_KIND_BOOLEAN: self = .bool(value.boolean != 0)
        case AMQP_FIELD_KIND_I8: self = .int(Int64(value.i8))
        case AMQP_FIELD_KIND_U8: self = .int(Int64(value.u8))
        case AMQP_FIELD_KIND_I16: self = .int(Int64(value.i16))
        case AMQP_FIELD_KIND_U16: self = .int(Int64(value.u16))
        case AMQP_FIELD_KIND_I32: self = .int(Int64(value.i32))
        case AMQP_FIELD_KIND_U32: self = .int(Int64(value.u32))
        case AMQP_FIELD_KIND_I64: self = .int(value.i64)
        case AMQP_FIELD_KIND_U64: self = .int(Int64(clamping: value.u64))
        case AMQP_FIELD_KIND_F32: self = .double(Double(value.f32))
        case AMQP_FIELD_KIND_F64: self = .double(value.f64)
        case AMQP_FIELD_KIND_UTF8: self = .string(String(value.bytes))
        case AMQP_FIELD_KIND_BYTES: self = .bytes([UInt8](value.bytes))
        case AMQP_FIELD_KIND_TIMESTAMP: self = .timestamp(value.u64)
        case AMQP_FIELD_KIND_TABLE: self = .table([String: AMQPValue](value.table))
        case AMQP_FIELD_KIND_ARRAY:
            let entries = UnsafeBufferPointer(start: value.array.entries, count: Int(value.array.num_entries))
            self = .array(entries.map { AMQPValue($0) })
        default: self = .null
        }
    }
}
