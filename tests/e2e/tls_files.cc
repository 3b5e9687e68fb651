#include "tests/e2e/tls_files.h"

#include <stdexcept>
#include <vector>

namespace gemel::e2e {
namespace {

void Openssl(std::vector<std::string> words) {
  words.insert(words.begin(), "openssl");
  const Finished run = RunProgram(words);
  if (run.exit_code != 0) throw std::runtime_error("openssl " + words[1] + ": " + run.output);
}

void MakeKey(const std::string& file, const std::string& password) {
  std::vector<std::string> words = {
      "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", file};
  if (!password.empty()) words.insert(words.end(), {"-aes256", "-pass", "pass:" + password});
  Openssl(std::move(words));
}

}  // namespace

TlsFiles::TlsFiles() {
  MakeKey(key("ca"), "");
  Openssl({"req", "-x509", "-new", "-key", key("ca"), "-subj", "/CN=CA of a test", "-days", "10",
           "-addext", "basicConstraints=critical,CA:true", "-out", ca()});
}

void TlsFiles::Make(const std::string& name, const std::string& names,
                    const std::string& password) {
  const std::string request = folder_.path() + "/" + name + ".csr";
  const std::string extensions = folder_.path() + "/" + name + ".ext";
  MakeKey(key(name), password);
  std::vector<std::string> words = {"req",   "-new",        "-key", key(name),
                                    "-subj", "/CN=" + name, "-out", request};
  if (!password.empty()) words.insert(words.end(), {"-passin", "pass:" + password});
  Openssl(std::move(words));
  WriteFile(extensions, "subjectAltName=" + names + "\n");
  Openssl({"x509", "-req", "-in", request, "-CA", ca(), "-CAkey", key("ca"), "-CAcreateserial",
           "-days", "10", "-extfile", extensions, "-out", cert(name)});
}

std::string TlsFiles::Section(const std::string& name, const std::string& further) const {
  return "[tls]\ncert = \"" + cert(name) + "\"\nkey = \"" + key(name) + "\"\n" + further + "\n";
}

std::string TlsFiles::Lines(const std::string& name) const {
  return "cert = \"" + cert(name) + "\"\nkey = \"" + key(name) + "\"\nca = \"" + ca() + "\"";
}

Words TlsFiles::RedisOptions(const std::string& name, uint16_t port) const {
  return {"--tls-port",         std::to_string(port),
          "--tls-cert-file",    cert(name),
          "--tls-key-file",     key(name),
          "--tls-ca-cert-file", ca(),
          "--tls-auth-clients", "no"};
}

}  // namespace gemel::e2e
