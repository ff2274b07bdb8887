#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>
/* libfido2 1.12 takes an attestation object in parts only; its own CBOR library takes it apart. */
#include <cbor.h>
