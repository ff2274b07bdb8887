enum SessionServicePlaceholder {}
