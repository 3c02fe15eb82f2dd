#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "meter.h"
#include "result.h"

namespace vmcg {

/**
 * Reads the meters one after the other. Appends doubles to `bytes`: the number of descriptors that
 * this process keeps at most, then what each meter says. Without meters it only closes what has not
 * been read for a minute.
 */
Result<Done> ReadMeters(std::span<const std::shared_ptr<Meter>> meters, std::uint32_t groups,
                        std::string& bytes);

}  // namespace vmcg
