#pragma once
// Tar files, entry by entry, also such as no tool would write.

#include <cstdio>
#include <cstring>
#include <string>

namespace tepui {

class Tar {
 public:
  enum Type : char {
    kFile = '0',
    kHardLink = '1',
    kLink = '2',
    kDevice = '3',
    kDirectory = '5',
    kPipe = '6'
  };

  Tar& add(Type type, const std::string& path, const std::string& content = "",
           const std::string& target = "", unsigned mode = 0644, unsigned uid = 0) {
    char header[512] = {};
    std::snprintf(header, 100, "%s", path.c_str());
    std::snprintf(header + 100, 8, "%07o", mode);
    std::snprintf(header + 108, 8, "%07o", uid);
    std::snprintf(header + 116, 8, "%07o", uid);
    std::snprintf(header + 124, 12, "%011zo", content.size());
    std::snprintf(header + 136, 12, "%011o", 1'000'000'000u);
    std::memset(header + 148, ' ', 8);
    header[156] = type;
    std::snprintf(header + 157, 100, "%s", target.c_str());
    std::memcpy(header + 257, "ustar\00000", 8);
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    std::snprintf(header + 148, 8, "%06o", sum);
    bytes_.append(header, sizeof header);
    bytes_ += content;
    bytes_.append((512 - content.size() % 512) % 512, '\0');
    return *this;
  }
  Tar& file(const std::string& path, const std::string& content) {
    return add(kFile, path, content);
  }
  Tar& directory(const std::string& path) { return add(kDirectory, path, "", "", 0755); }

  std::string bytes() const { return bytes_ + std::string(1024, '\0'); }

 private:
  std::string bytes_;
};

}  // namespace tepui
