enum MFAServicePlaceholder {}
