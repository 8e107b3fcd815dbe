#include "agent/fetch/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "agent/linux/files.h"
#include "common/check.h"

namespace tepui {

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  CHECK(context_ != nullptr);
  CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() = default;

void Sha256::add(std::span<const char> bytes) {
  CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

std::string Sha256::digits() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash;
  unsigned size = 0;
  CHECK(EVP_DigestFinal_ex(context_.get(), hash.data(), &size) == 1);
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", hash[i]);
  return text;
}

Result<std::string> sha256_of_file(int fd) {
  Sha256 hash;
  std::vector<char> bytes(1 << 18);
  off_t offset = 0;
  while (true) {
    const ssize_t count = pread(fd, bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(system_error(errno, "reading for the checksum"));
    if (count == 0) return hash.digits();
    hash.add(std::span(bytes.data(), static_cast<size_t>(count)));
    offset += count;
  }
}

}  // namespace tepui
