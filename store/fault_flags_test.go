package store_test

import "flag"

// thorough is for `make nightly`.
var thorough = flag.Bool("thorough", false, "run the long form of fault tests")
