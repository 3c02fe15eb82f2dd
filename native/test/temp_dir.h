#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "core/root.h"

namespace vmcg {

/** A directory that is removed, with all that is in it, when the test ends. */
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "vmcg-core-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::string At(const std::string& name) const { return (path_ / name).string(); }
  [[nodiscard]] std::string path() const { return path_.string(); }

  [[nodiscard]] Root AsRoot() const {
    Result<Root> root = Root::Open(path());
    EXPECT_TRUE(root.ok());
    return std::move(*root);
  }

  /** Makes the file and the directories that lead to it. */
  void MakeFile(const std::string& name, const std::string& text = "") const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
  }

  [[nodiscard]] std::string TextOf(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(path_ / name, std::ios::binary).rdbuf();
    return text.str();
  }

 private:
  std::filesystem::path path_;
};

/** The errno of a result; 0 for success. */
template <typename T>
int ErrorOf(const Result<T>& result) {
  return result.ok() ? 0 : result.error().number;
}

}  // namespace vmcg
