#pragma once

// The one place that includes napi.h, so that what configures it always comes first.

#define NAPI_VERSION 9
#define NAPI_DISABLE_CPP_EXCEPTIONS
#define NODE_ADDON_API_DISABLE_DEPRECATED
// A worker that is being terminated cannot be thrown at.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS

#include <napi.h>
