// The store suite on the fake ensemble.

#include "tests/common/store_places.h"
#include "tests/common/store_suite.h"

namespace tepui::test {

INSTANTIATE_STORE_SUITE((std::vector<NamedStorePlace>{
    {"FakeZooKeeper", [] { return std::make_unique<FakeEnsemblePlace>(); }}}));

}  // namespace tepui::test
