package org.elasticsearch.ingest;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.elasticsearch.grok.Grok;
import org.elasticsearch.grok.GrokBuiltinPatterns;

/**
 * Matches as an Elasticsearch node does: gsub by java.util.regex, grok by Elasticsearch's own library. A question is a
 * line of tab-separated words, the first the operation, the others Base64 of UTF-8; so is the answer, which begins with
 * "ok" or "error".
 */
public final class Matching {
    private static final Map<String, Pattern> PATTERNS = new HashMap<>();
    private static final Map<String, Grok> GROKS = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String answer;
            try {
                answer = answered(line.split("\t", -1));
            } catch (StackOverflowError error) {
                answer = "error\t" + encoded("the pattern is too deep for this text");
            } catch (RuntimeException error) {
                answer = "error\t" + encoded(String.valueOf(error.getMessage()));
            }
            out.println(answer);
            out.flush();
        }
    }

    private static String answered(String[] words) {
        if (words[0].equals("gsub")) {
            Pattern pattern = PATTERNS.computeIfAbsent(decoded(words[1]), Pattern::compile);
            return "ok\t" + encoded(pattern.matcher(decoded(words[3])).replaceAll(decoded(words[2])));
        }
        StringBuilder found = new StringBuilder("ok");
        for (String pattern : List.of(words).subList(2, words.length)) {
            Grok grok = GROKS.computeIfAbsent(
                decoded(pattern), text -> new Grok(GrokBuiltinPatterns.ecsV1Patterns(), text, warning -> {})
            );
            Map<String, Object> captures = grok.captures(decoded(words[1]));
            if (captures != null) {
                captures.forEach((name, value) -> {
                    String type = value.getClass().getSimpleName();
                    found.append('\t').append(encoded(name + "\t" + type + "\t" + value));
                });
                return found.toString();
            }
        }
        return "error\t" + encoded("no pattern matches");
    }

    private static String encoded(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String decoded(String text) {
        return new String(Base64.getDecoder().decode(text), StandardCharsets.UTF_8);
    }
}
