enum MicroMiddlewarePlaceholder {}
