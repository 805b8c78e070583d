// The same multiplication once more, as it is compiled for sm_80 on.
#define MODULE_MMA80
#define multiply multiply80
#include "../../prover/kernels/proof.cu"
#include "../../prover/kernels/multiply.cu"
