import Foundation

/// Pictures of 3 by 2 pixels, of one colour, as another program wrote them; JPEG and WebP say "secret place" beside.
enum Sample {
    static let png = decoded(
        """
        iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAFUlEQVR4nGM8IWfDwMDAwMDAxAADABUsASY0+3CFAAAAAElFTkSu\
        QmCC
        """)
    static let jpeg = decoded(
        """
        /9j/4AAQSkZJRgABAQAAAQABAAD/4QAwRXhpZgAATU0AKgAAAAgAAQEOAAIAAAANAAAAGgAAAABzZWNyZXQgcGxhY2UAAP/bAEMA\
        GxIUFxQRGxcWFx4cGyAoQisoJSUoUTo9MEJgVWVkX1VdW2p4mYFqcZBzW12FtYaQnqOrratngLzJuqbHmairpP/bAEMBHB4eKCMo\
        TisrTqRuXW6kpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpP/AABEIAAIAAwMBIgACEQED\
        EQH/xAAfAAABBQEBAQEBAQAAAAAAAAAAAQIDBAUGBwgJCgv/xAC1EAACAQMDAgQDBQUEBAAAAX0BAgMABBEFEiExQQYTUWEHInEU\
        MoGRoQgjQrHBFVLR8CQzYnKCCQoWFxgZGiUmJygpKjQ1Njc4OTpDREVGR0hJSlNUVVZXWFlaY2RlZmdoaWpzdHV2d3h5eoOEhYaH\
        iImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4eLj5OXm5+jp6vHy8/T19vf4+fr/xAAfAQAD\
        AQEBAQEBAQEBAAAAAAAAAQIDBAUGBwgJCgv/xAC1EQACAQIEBAMEBwUEBAABAncAAQIDEQQFITEGEkFRB2FxEyIygQgUQpGhscEJ\
        IzNS8BVictEKFiQ04SXxFxgZGiYnKCkqNTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqCg4SFhoeIiYqSk5SV\
        lpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2dri4+Tl5ufo6ery8/T19vf4+fr/2gAMAwEAAhEDEQA/AKVF\
        FFZnsH//2Q==
        """)
    static let webp = decoded(
        """
        UklGRnoAAABXRUJQVlA4WAoAAAAIAAAAAgAAAQAAVlA4ICwAAACQAQCdASoDAAIAAUAmJaACdLoAA5gA/vD6K67xaUa/+8Z//cZ/\
        /cZ/7uAAAEVYSUYoAAAATU0AKgAAAAgAAQEOAAIAAAANAAAAGgAAAABzZWNyZXQgcGxhY2UAAA==
        """)
    /// Three pictures in one.
    static let animated = decoded(
        """
        UklGRuwAAABXRUJQVlA4WAoAAAACAAAAAgAAAQAAQU5JTQYAAAAAAAAAAABBTk1GMAAAAAAAAAAAAAIAAAEAAAAAAAJWUDggGAAA\
        ADABAJ0BKgMAAgABQCYlpAADcAD+/TZoAEFOTUY+AAAAAAAAAAAAAgAAAQAAAAAAAFZQOCAmAAAANAEAnQEqAwACAAAAJiUAAIww\
        AP78rlH9JdLkN//FDzW9gyoAAABBTk1GQgAAAAAAAAAAAAIAAAEAAAAAAABWUDggKgAAADQBAJ0BKgMAAgAAACYloAADcAD++8Er\
        /w7ubr1rf//LP/9lv+y3XoAAAA==
        """)

    private static func decoded(_ text: String) -> [UInt8] {
        Data(base64Encoded: text).map { Array($0) } ?? []
    }
}
