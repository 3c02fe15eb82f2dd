#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace vmcg {

/** How many words StatDevices() fills per path: errno, file type (S_IFMT), major, minor. */
inline constexpr std::size_t kDeviceStatWords = 4;

/** How many paths there are in a text that joins them by NUL. */
std::size_t CountPaths(const std::string& joined_paths);

/**
 * Looks up each path, following symbolic links as stat(2) does; `words` must have room for all of
 * them. Of a path that cannot be looked up only the errno is not 0; of a file that is no device
 * major and minor are 0.
 */
void StatDevices(const std::string& joined_paths, std::span<std::int32_t> words);

}  // namespace vmcg
