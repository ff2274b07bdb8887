enum ProfileServicePlaceholder {}
