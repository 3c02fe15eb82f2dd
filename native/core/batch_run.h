#pragma once

#include "batch.h"

namespace vmcg {

/**
 * Runs the operations of a batch in order. A failure stops the rest of its own group, unless the
 * operation is optional; the other groups go on. Blocks for as long as the kernel does.
 */
BatchResult RunBatch(const Batch& batch);

}  // namespace vmcg
