/// The parameters of one execution as libpq takes them, in memory that is kept from one execution to the next.
struct ParameterBuffer {
    private var bytes: [UInt8] = []
    private var offsets: [Int] = []
    private var lengths: [CInt] = []
    private var formats: [CInt] = []
    private var pointers: [UnsafePointer<CChar>?] = []

    /// - Throws: `.invalidParameter` for text with a NUL character, which libpq would cut there.
    mutating func encode(_ sql: SQL) throws(PostgresError) {
        bytes.removeAll(keepingCapacity: bytes.count < 65_536)
        offsets.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
        formats.removeAll(keepingCapacity: true)
        for case .parameter(let value) in sql.segments {
            let start = bytes.count
            value.appendBinary(to: &bytes)
            lengths.append(CInt(bytes.count - start))
            switch value {
            case .null:
                offsets.append(-1)
                formats.append(0)
            case .text, .typedText:
                if bytes[start...].contains(0) {
                    throw PostgresError(.invalidParameter(position: offsets.count + 1))
                }
                bytes.append(0)
                offsets.append(start)
                formats.append(0)
            default:
                offsets.append(start)
                formats.append(1)
            }
        }
    }

    /// Calls `body` with libpq's arrays: count, values, lengths, formats.
    mutating func withPointers<Value>(
        _ body: (CInt, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<CInt>?, UnsafePointer<CInt>?) -> Value
    ) -> Value {
        pointers.removeAll(keepingCapacity: true)
        return bytes.withUnsafeBytes { buffer in
            let base = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            for offset in offsets {
                // An empty value still needs an address: a null pointer would be NULL.
                pointers.append(offset < 0 ? nil : base.map { $0 + offset } ?? Self.empty)
            }
            return pointers.withUnsafeBufferPointer { values in
                lengths.withUnsafeBufferPointer { lengths in
                    formats.withUnsafeBufferPointer { formats in
                        body(CInt(values.count), values.baseAddress, lengths.baseAddress, formats.baseAddress)
                    }
                }
            }
        }
    }

    private static var empty: UnsafePointer<CChar> {
        let literal: StaticString = ""
        return UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
