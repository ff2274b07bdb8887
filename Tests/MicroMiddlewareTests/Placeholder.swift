enum MicroMiddlewareTestsPlaceholder {}
