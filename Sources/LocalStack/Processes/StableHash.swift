extension String {
    /// A short name for the text, the same in every process and version: FNV-1a of its bytes, in lower-case letters and
    /// digits.
    var stableHash: String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 36)
    }
}
