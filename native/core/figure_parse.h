#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "figure_form.h"

namespace vmcg {

/**
 * Appends the figures of a file's text, as src/engine/native.ts lays them out for each format.
 *
 * A number that is not there, or that is none, is NaN; `max` is infinity. Integers are exact up to
 * 2^64 before they are divided. Never fails: what cannot be read as the format says is left out.
 */
void ParseFigures(FigureFormat format, std::span<const FigureField> fields, std::string_view text,
                  std::vector<double>& figures);

}  // namespace vmcg
