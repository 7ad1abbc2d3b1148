#pragma once

#include <string_view>

namespace siftsearch::verify {

/// The text of data/models/decision-1.json, compiled in.
std::string_view ShippedModel();

}  // namespace siftsearch::verify
