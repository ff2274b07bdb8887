import Foundation
import MicroMiddleware
import ProfileService
import Testing

@Suite("Custom fields")
struct CustomFieldTests {
    let schema = CustomFieldSchema(fields: [
        "team": CustomField(type: .string, isRequired: true, options: [.text("blue"), .text("red")]),
        "note": CustomField(type: .string, minimumLength: 2, maximumLength: 4),
        "desk": CustomField(type: .integer, minimum: 1, maximum: 99), "ratio": CustomField(type: .number),
        "remote": CustomField(type: .boolean),
    ])

    @Test("are taken as the tenant describes them")
    func taken() {
        let values: [String: Scalar] = [
            "team": .text("blue"), "note": .text("äöü"), "desk": .number(7), "ratio": .number(0.5),
            "remote": .truth(true),
        ]
        #expect(schema.violations(values).isEmpty)
        #expect(schema.violations(["team": .text("red")]).isEmpty)
    }

    @Test(
        "are refused by their names otherwise",
        arguments: [
            ("team", Scalar.text("green")), ("team", .number(1)), ("note", .text("x")), ("note", .text("abcde")),
            ("desk", .number(0)), ("desk", .number(100)), ("desk", .number(1.5)), ("desk", .text("7")),
            ("ratio", .truth(true)), ("remote", .text("true")), ("other", .text("x")),
        ])
    func refused(name: String, value: Scalar) {
        var values: [String: Scalar] = ["team": .text("blue")]
        values[name] = value
        #expect(schema.violations(values).map(\.field) == ["custom_fields.\(name)"])
    }

    @Test("that are required are missed")
    func required() {
        #expect(schema.violations([:]) == [Violation(field: "custom_fields.team", message: "is missing")])
    }

    @Test(
        "cannot be described in contradiction",
        arguments: [
            ("X", CustomField(type: .string), "fields"), ("a b", CustomField(type: .string), "fields"),
            ("x", CustomField(type: .number, minimumLength: 1), "fields.x.min_length"),
            ("x", CustomField(type: .string, minimumLength: 5, maximumLength: 4), "fields.x.max_length"),
            ("x", CustomField(type: .string, maximumLength: 5_000), "fields.x.max_length"),
            ("x", CustomField(type: .string, minimum: 1), "fields.x.minimum"),
            ("x", CustomField(type: .integer, minimum: 5, maximum: 4), "fields.x.maximum"),
            ("x", CustomField(type: .integer, options: [.text("a")]), "fields.x.enum"),
            ("x", CustomField(type: .integer, options: []), "fields.x.enum"),
        ])
    func faults(name: String, field: CustomField, at path: String) {
        #expect(CustomFieldSchema(fields: [name: field]).faults.map(\.field) == [path])
        #expect(schema.faults.isEmpty)
    }
}
