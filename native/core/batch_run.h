#pragma once

#include <span>
#include <vector>

#include "batch.h"

namespace vmcg {

/**
 * Runs the operations of a batch in order. A failure stops the rest of its own group, unless the
 * operation is optional; the other groups go on. Blocks for as long as the kernel does.
 */
BatchResult RunBatch(const Batch& batch);

/**
 * Runs several batches as one burst: each as RunBatch does, but they go from migrations to
 * migrations together, so that those of all batches follow each other at once, every descriptor
 * open before the first. The kernel makes only the first of them wait for a grace period (RCU)
 * when it has migrated nobody for some 10 ms: kernel/cgroup/cgroup.c, cgroup_attach_lock, which
 * takes a percpu_rw_semaphore for writing.
 *
 * The results are in the order of the batches.
 */
std::vector<BatchResult> RunBurst(std::span<const Batch* const> batches);

}  // namespace vmcg
